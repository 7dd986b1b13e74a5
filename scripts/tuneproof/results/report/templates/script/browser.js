// What happens when: the filters, the address, and what is wider than the screen.
function update() {
  place("address-note").textContent = "";
  showFound();
  writeAddress();
}

function setRaw(event) {
  reading.raw = event.target.checked;
  for (const item of place("questions").querySelectorAll("details.question")) item.redraw();
}

// Says of each table that is wider than its place that it goes on.
function hintAtScrolling() {
  for (const region of document.querySelectorAll(".scroll")) {
    const hint = element("p", { class: "scroll-hint", "aria-hidden": "true" }, "This goes on to the right →");
    region.before(hint);
    new ResizeObserver(() => { hint.hidden = region.scrollWidth <= region.clientWidth + 1; }).observe(region);
  }
}

// A browser leaves a link where it is that is half in sight: on a phone the menu goes on sideways.
function showFocused(event) {
  event.target.scrollIntoView({ block: "nearest", inline: "nearest" });
}

buildFilters();
place("tools").append(switchControl("Raw text", reading.raw, setRaw), ...downloadButtons.map(([, button]) => button));
place("filters").addEventListener("input", update);
place("filters").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", followAddress);
document.querySelector("nav").addEventListener("focusin", showFocused);
if (!followAddress()) showFound();
hintAtScrolling();
