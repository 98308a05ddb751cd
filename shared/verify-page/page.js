// What the page does: takes a receipt and a policy, has them judged, shows the answer. The verdict is the
// verifier's; nothing here decides it. Everything is inserted as text, never as HTML: files may be hostile.
// How an answer is told is in tell.js, which stands before this in the page.

// A byte more than the longest receipt and policy, so that the verifier itself sees what is too long.
const MOST_OF_RECEIPT = 1048576 + 1;
const MOST_OF_POLICY = 262144 + 1;
const CODE = "@CODE@";

const at = (id) => document.getElementById(id);
const receipt = at("receipt");
const policy = at("policy");
const pasted = at("policy-text");
const embedded = at("embedded");

function start() {
  if (typeof WebAssembly !== "object") {
    complain([["independent", "This browser has no WebAssembly, so this page cannot check anything. Use one of the tools below."]]);
    return;
  }
  at("form").hidden = false;
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
  // Keys come from one place: what was given last counts. An answer never stands beside other files.
  receipt.addEventListener("change", forget);
  policy.addEventListener("change", () => only(policy));
  pasted.addEventListener("input", () => only(pasted));
  embedded.addEventListener("change", () => only(embedded));
  acceptDrops();
}

// ---- what is given

function only(given) {
  if (given !== policy) policy.value = "";
  if (given !== pasted) pasted.value = "";
  if (given !== embedded) embedded.checked = false;
  forget();
}

function acceptDrops() {
  const zone = (event) => (event.target instanceof Element ? event.target.closest(".drop") : null);
  const mark = (over) => {
    for (const drop of document.querySelectorAll(".drop")) drop.classList.toggle("over", drop === over);
  };
  document.addEventListener("dragover", (event) => {
    // Otherwise the browser would open what is dropped, and leave the page.
    event.preventDefault();
    mark(zone(event));
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) mark(null);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(null);
    place([...event.dataTransfer.files], zone(event));
  });
}

// One file goes where it was dropped; several, or one dropped elsewhere, by what they look like.
async function place(files, drop) {
  for (const file of files) {
    const isTold = files.length === 1 && drop !== null;
    const isPolicy = isTold ? drop.id === "policy-drop" : await looksLikePolicy(file);
    const input = isPolicy ? policy : receipt;
    const list = new DataTransfer();
    list.items.add(file);
    input.files = list.files;
    if (isPolicy) only(policy);
    else forget();
  }
}

async function looksLikePolicy(file) {
  const text = await file.slice(0, MOST_OF_POLICY).text();
  return /^(log|quorum)[ \t]/m.test(text);
}

// The policy's bytes; `null` for the keys inside the file; `undefined` if nothing was said.
async function givenPolicy() {
  if (embedded.checked) return null;
  if (policy.files.length > 0) return bytesOf(policy.files[0], MOST_OF_POLICY);
  if (pasted.value.trim() === "") return undefined;
  // How lines end cannot be seen in the field, nor whether the last one does.
  const text = pasted.value.replaceAll("\r\n", "\n");
  return new TextEncoder().encode(text.endsWith("\n") ? text : `${text}\n`);
}

async function bytesOf(file, most) {
  return new Uint8Array(await file.slice(0, most).arrayBuffer());
}

// ---- the verifier

let compiled;

// Every check has an instance of its own: nothing of one can reach another.
async function judge(receiptBytes, policyBytes) {
  compiled ??= WebAssembly.compile(Uint8Array.from(atob(CODE), (c) => c.charCodeAt(0)));
  const { exports } = await WebAssembly.instantiate(await compiled, {});
  const put = (room, bytes) => {
    const begin = room(bytes.length) >>> 0;
    new Uint8Array(exports.memory.buffer, begin, bytes.length).set(bytes);
  };
  put(exports.quittance_receipt, receiptBytes);
  if (policyBytes !== null) put(exports.quittance_policy, policyBytes);
  const begin = exports.quittance_judge() >>> 0;
  const answer = new Uint8Array(exports.memory.buffer, begin, exports.quittance_answer_length());
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(answer));
}

// ---- asking and answering

let asked = 0;

async function check() {
  forget();
  const mine = ++asked;
  let answer;
  try {
    const policyBytes = await givenPolicy();
    const missing = [];
    if (receipt.files.length === 0) missing.push(["receipt", "Choose a receipt, or drop one."]);
    if (policyBytes === undefined) missing.push(["policy", "Give a policy, or say that you have none."]);
    if (missing.length > 0) return complain(missing);
    answer = await judge(await bytesOf(receipt.files[0], MOST_OF_RECEIPT), policyBytes);
  } catch (error) {
    // A file that cannot be read any more, or a mistake of ours. Neither is a verdict.
    console.error(error);
    if (mine === asked) complain([["receipt", `Nothing was checked: ${error.message}. Use one of the tools below.`]]);
    return;
  }
  // Something else was chosen meanwhile.
  if (mine !== asked) return;
  if (answer.verdict === "unusable_policy") {
    complain([["policy", `Nothing was checked, because what you gave as a policy is none: ${answer.policy_problem}.`]]);
    return;
  }
  show(answer);
}

function show(answer) {
  at("verdict").replaceChildren(verdictOf(answer));
  at("found").replaceChildren(...everythingFound(answer));
  at("result").hidden = false;
  document.title = `${VERDICTS[answer.verdict].word} – Check a receipt`;
  at("result-title").focus();
}

// An answer must not stand beside a file that it is not about.
function forget() {
  asked += 1;
  at("result").hidden = true;
  at("verdict").replaceChildren();
  at("found").replaceChildren();
  at("trouble").hidden = true;
  document.title = "Check a receipt";
}

function complain(troubles) {
  const list = make("ul");
  for (const [id, text] of troubles) {
    const link = make("a", text);
    link.href = `#${id}`;
    link.addEventListener("click", (event) => {
      if (!(at(id) instanceof HTMLInputElement)) return;
      event.preventDefault();
      at(id).focus();
    });
    list.append(make("li", link));
  }
  at("trouble").replaceChildren(make("h2", "The receipt was not checked"), list);
  at("trouble").hidden = false;
  at("trouble").focus();
}

start();
