// The address says what is shown: #answers?model=sft&change=worse&order=loss:accuracy, and question=<id> opens one.
const ADDRESS = "#answers";
const OLD_LINK = "#q=";

const addressOf = (parts) => `${ADDRESS}?${new URLSearchParams(parts).toString().replaceAll("%3A", ":")}`;

function writeAddress() {
  const set = Object.entries(filters).map(([name, control]) => [name, control.value]).filter(([, value]) => value !== "");
  if (!set.length && !location.hash.startsWith(ADDRESS)) return;
  try {
    history.replaceState(null, "", set.length ? addressOf(set) : ADDRESS);
  } catch {
    // A page inside a frame without an origin has no history of its own; the filters work all the same.
  }
}

// Sets the filters to what the address has. Returns the question to open, and what the page does not know.
function readAddress(query) {
  const unknown = [];
  let question = null;
  clear();
  for (const [name, value] of new URLSearchParams(query)) {
    const control = Object.hasOwn(filters, name) ? filters[name] : null;
    if (name === "question") question = value;
    else if (name === "against" && value === baseline) continue; // as without it
    else if (control && (!control.options || [...control.options].some((option) => option.value === value))) control.value = value;
    else unknown.push(`${name}=${value}`.slice(0, 80));
  }
  const more = place("filters").querySelector(".more");
  more.open ||= [...more.querySelectorAll("select")].some((control) => control.value !== "");
  return { question, unknown };
}

// Shows what the address asks for. Returns false where it names another section of the page.
function followAddress() {
  const { hash } = location;
  let asked = { question: null, unknown: [] };
  if (hash.startsWith(OLD_LINK)) asked = readAddress(`question=${hash.slice(OLD_LINK.length).replaceAll("+", "%2B")}`);
  else if (hash === "" || hash === ADDRESS || hash.startsWith(`${ADDRESS}?`)) asked = readAddress(hash.slice(ADDRESS.length + 1));
  else return false;
  showFound();
  const notes = asked.unknown.map((one) => `This page does not know ${one}, which stands in its address.`);
  if (asked.question !== null && !openQuestion(asked.question)) notes.push(`There is no question ${asked.question.slice(0, 80)} on this page.`);
  else if (asked.question === null && hash.startsWith(`${ADDRESS}?`)) goTo(place("answers"));
  if (notes.length) goTo(place("answers"));
  place("address-note").textContent = notes.join(" ");
  return true;
}

function goTo(target) {
  target.scrollIntoView({ block: "start" });
  target.focus({ preventScroll: true });
}
