(() => {
  const state = document.getElementById("state");
  const say = (text) => { if (state.textContent !== text) state.textContent = text; };
  let timer = 0, asked = 0, busy = false;
  // At once where it was quiet, else every second and a half: many changes are one new page.
  const later = () => { timer ||= setTimeout(refresh, Math.max(100, 1500 - (Date.now() - asked))); };
  const refresh = async () => {
    timer = 0;
    if (document.hidden) return;
    if (busy) return later();
    busy = true;
    asked = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const live = answer.ok && page.getElementById("live");
      if (live) {
        const focused = document.activeElement?.id;
        document.getElementById("live").replaceWith(document.adoptNode(live));
        if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
        if (stream.readyState === EventSource.OPEN) say("live");
      } else {
        say(`not live: the server answers ${answer.status}`);
      }
    } catch {
      say("not live: the server does not answer");
    }
    busy = false;
  };
  const stream = new EventSource(document.body.dataset.stream);
  stream.onopen = () => { say("live"); later(); };
  stream.onerror = () => say("not live: trying to connect again");
  for (const kind of ["run", "left", "event", "reset"]) stream.addEventListener(kind, later);
  document.addEventListener("visibilitychange", later);
  setInterval(later, 30000);
})();
