// What happens when: the filters, the address, and the tables that are wider than the screen.
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
    const hint = element("p", { class: "scroll-hint", "aria-hidden": "true" }, "This table goes on to the right →");
    region.before(hint);
    new ResizeObserver(() => { hint.hidden = region.scrollWidth <= region.clientWidth + 1; }).observe(region);
  }
}

buildFilters();
place("tools").append(switchControl("Raw text", reading.raw, setRaw), ...downloadButtons.map(([, button]) => button));
place("filters").addEventListener("input", update);
place("filters").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", followAddress);
if (!followAddress()) showFound();
hintAtScrolling();
