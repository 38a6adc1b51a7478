// What a tablet keeps outside the page: it drops pages that nobody looks at. Without storage it lives as long as the page.

const FORGOTTEN_AFTER = 3 * 24 * 3600 * 1000;

/** Keep `value` under `name` until it is told anew; null forgets it. */
export function store(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // It lives as long as the page.
  }
}

/** What is kept under `name`, else null. What begins with `prefix` and was left behind on former days is forgotten. */
export function stored(prefix, name, lastAt) {
  try {
    for (const each of Object.keys(localStorage).filter((kept) => kept.startsWith(prefix))) {
      if (Date.now() - lastAt(JSON.parse(localStorage.getItem(each))) >= FORGOTTEN_AFTER) localStorage.removeItem(each);
    }
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}
