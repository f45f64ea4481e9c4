// Brings the page up to date every two seconds, but for what a person is writing in or about to press.
"use strict";
(() => {
  let held = false;
  addEventListener("pointerdown", () => { held = true; });
  addEventListener("pointerup", () => { setTimeout(() => { held = false; }, 300); });
  const isBusy = (part) => held || (part.contains(document.activeElement) && document.activeElement.matches("input, select"));

  async function look() {
    let silent = false;
    try {
      const answer = await fetch(location.href, { cache: "no-store", redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of fresh.querySelectorAll("[data-live]")) {
        const own = document.getElementById(part.id);
        if (own && !isBusy(own) && own.outerHTML !== part.outerHTML) own.replaceWith(document.adoptNode(part));
      }
      document.title = fresh.title;
    } catch {
      silent = true;
    }
    document.body.classList.toggle("silent", silent);
    setTimeout(look, 2000);
  }
  setTimeout(look, 2000);
})();
