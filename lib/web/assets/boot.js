// Runs before Streamlit's own script: where the server is, light or dark, how long the session lasts.
(() => {
  "use strict";
  const own = { method: "POST", headers: { "X-Desk": "1" }, credentials: "same-origin" };
  const warnedSeconds = 120;

  window.__streamlit = {
    BACKEND_BASE_URL: `${location.origin}/`,
    HOST_CONFIG: {
      allowedOrigins: [location.origin],
      useExternalAuthToken: false,
      enableCustomParentMessages: false,
      enforceDownloadInNewTab: false,
      metricsUrl: "",
      blockErrorDialogs: false,
      resourceCrossOriginMode: null,
    },
  };

  // Streamlit follows the browser's light or dark and listens for changes; a choice of the person stands in between.
  const asked = "(prefers-color-scheme: dark)";
  const browser = window.matchMedia.bind(window);
  const system = browser(asked);
  const listeners = new Set();
  const isDark = () => {
    const chosen = localStorage.getItem("desk.theme");
    return chosen ? chosen === "dark" : system.matches;
  };
  const tell = () => {
    const event = { matches: isDark(), media: asked };
    for (const listener of listeners) (listener.handleEvent || listener).call(listener, event);
  };
  const standIn = {
    media: asked,
    onchange: null,
    get matches() {
      return isDark();
    },
    addEventListener: (_type, listener) => listener && listeners.add(listener),
    removeEventListener: (_type, listener) => listeners.delete(listener),
    addListener: (listener) => listeners.add(listener),
    removeListener: (listener) => listeners.delete(listener),
    dispatchEvent: () => true,
  };
  window.matchMedia = (query) => (query === asked ? standIn : browser(query));
  system.addEventListener("change", tell);

  function toggleTheme() {
    localStorage.setItem("desk.theme", isDark() ? "light" : "dark");
    tell();
  }

  const used = new Set();
  async function post(address, body) {
    const answer = await fetch(address, { ...own, body });
    await answer.text();
    return answer.ok;
  }

  async function enter(code) {
    if (used.has(code)) return;
    used.add(code);
    await post("/desk/sign-in", code).catch(() => false);
    location.reload();
  }

  let leaving = false;
  async function leave() {
    if (leaving) return;
    leaving = true;
    await post("/desk/sign-out").catch(() => false);
    location.reload();
  }

  let words = {};
  let bar = null;
  function warn(shown) {
    if (!shown) {
      bar?.remove();
      bar = null;
      return;
    }
    if (bar) return;
    bar = document.createElement("div");
    bar.id = "desk-warning";
    bar.setAttribute("role", "alert");
    const text = document.createElement("span");
    text.textContent = words.warning || "";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words.stay || "";
    button.addEventListener("click", async () => {
      await post("/desk/stay").catch(() => false);
      watch();
    });
    bar.append(text, button);
    document.body.append(bar);
  }

  // Asks the server, because other tabs keep the session alive too and this clock may be wrong.
  let timer = null;
  let known = false;
  async function watch() {
    clearTimeout(timer);
    let left = null;
    try {
      const answer = await fetch("/desk/session", { credentials: "same-origin", cache: "no-store" });
      if (answer.ok) left = (await answer.json()).left;
    } catch {
      left = null;
    }
    if (left === null) {
      timer = setTimeout(watch, 30000);
      return;
    }
    if (left <= 0) {
      if (known) location.reload();
      return;
    }
    known = true;
    warn(left <= warnedSeconds);
    const next = left > warnedSeconds ? left - warnedSeconds : Math.min(left, 10);
    timer = setTimeout(watch, Math.min(next * 1000 + 500, 2 ** 31 - 1));
  }

  function frame({ data, parentElement }) {
    words = data;
    document.documentElement.lang = data.tag;
    document.documentElement.style.setProperty("--desk-more", JSON.stringify(data.more));
    document.cookie = `desk_language=${data.language}; Path=/; Max-Age=31536000; SameSite=Strict`;
    const button = parentElement.querySelector("#theme");
    button.title = data.theme;
    button.setAttribute("aria-label", data.theme);
    button.onclick = toggleTheme;
    if (data.code) enter(data.code);
    else if (data.leave) leave();
    else if (timer === null && !known) watch();
  }

  window.desk = Object.freeze({ frame, leave });
})();
