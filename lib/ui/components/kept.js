// Pictures that wait for the desk, kept outside the page: a tablet drops pages that nobody looks at.

const FORGOTTEN_AFTER = 3 * 24 * 3600 * 1000;
let opened = null;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open("desk.kept", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("pictures", { keyPath: "key" });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = asked.onblocked = () => reject(asked.error);
  });
  return opened;
}

async function within(mode, ask) {
  const pictures = (await database()).transaction("pictures", mode).objectStore("pictures");
  return new Promise((resolve, reject) => {
    const asked = ask(pictures);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

/** Keep `picture` ({ key, image, ... }) of `owner` until it is forgotten. Without storage it lives as long as the page. */
export async function keepPicture(owner, picture) {
  try {
    await within("readwrite", (pictures) => pictures.put({ ...picture, owner, at: Date.now() }));
  } catch {
    opened = null;
  }
}

export async function forgetPicture(key) {
  try {
    await within("readwrite", (pictures) => pictures.delete(key));
  } catch {
    opened = null;
  }
}

/** What waits of `owner`, in the order in which it was kept; what was left behind on former days is forgotten. */
export async function keptPictures(owner) {
  try {
    const all = await within("readonly", (pictures) => pictures.getAll());
    const old = all.filter((each) => Date.now() - each.at >= FORGOTTEN_AFTER);
    for (const { key } of old) forgetPicture(key);
    return all.filter((each) => each.owner === owner && !old.includes(each)).sort((a, b) => a.at - b.at);
  } catch {
    opened = null;
    return [];
  }
}
