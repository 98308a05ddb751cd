"use strict";
// How an answer is told: a verdict in a sentence, each check, and what the receipt says, for people.
// Codes that a controller may choose itself are shown as they are.

const VERDICTS = {
  verified: {
    word: "Verified",
    means: "Nobody changed this receipt. It is signed with a key of your policy, and stands in the log that your policy names.",
  },
  self_consistent: {
    word: "Self-consistent, and no more",
    means: "The file agrees with itself. Nobody whom you named vouches for it: anybody can make a file that agrees with itself. To learn whose it is, get the company’s policy and check again.",
  },
  refused: { word: "Refused", means: "Do not believe this file." },
};
const YOUNG = "Everything else passed. Witnesses may sign after a receipt was made: if it is new, fetch it again, and check that file.";
const CHECKS = {
  canonical: "Form of the file",
  statement: "Form of the statement",
  signature: "Signature",
  leaf: "Entry for the log",
  inclusion: "Place in the log",
  checkpoint: "The log’s own signature",
  policy: "Witnesses",
  embedded_keys: "Keys inside the file",
  commands: "Commands inside the file",
  acceptance: "Link to the acceptance",
};
const MARKS = {
  ok: "✓ passed",
  failed: "✗ failed",
  not_run: "– not made",
};
const KINDS = {
  acceptance: "Acceptance of a request",
  receipt: "Receipt for a request",
  amendment: "Correction of a receipt",
  manifest: "A day’s account of all requests",
};
const ROLES = {
  controller: "decides why and how the data are used",
  processor: "acts for another company",
};
const RIGHTS = {
  access: "a copy of the data",
  deletion: "deletion of the data",
  opt_out: "no more sale or sharing of the data",
};
const OUTCOMES = {
  completed: "done: every place is accounted for",
  partial: "done in part: at least one place is blocked",
  denied: "refused by the company",
  revoked: "withdrawn by the person, before anything was touched",
};
const COUNTS = [
  ["before", "rows before, in what was touched"],
  ["after", "rows after"],
  ["matched", "found"],
  ["shared", "of them about somebody else, too"],
  ["deleted", "deleted"],
  ["redacted", "kept without the fields named for it"],
  ["pseudonymised", "kept with a pseudonym in place of fields, and still personal data"],
  ["exported", "copied for the person"],
  ["flagged", "flagged"],
];
const METHODS = {
  key: "by its key",
  index_query: "through an index",
  scan: "by reading every item",
  rescan: "by reading every object again",
  list_versions: "by listing all versions",
  read_back: "by reading back what was written",
};
const RESIDUALS = {
  access_log: "access logs",
  backup: "a backup",
  inventory: "an inventory",
  locked: "copies under a lock",
  noncurrent: "earlier versions",
  pitr: "point-in-time recovery",
  replica: "a replica",
  stream: "a stream of changes",
  unknown: "unknown: the place would not tell which copies it keeps",
};
const MONTHS = [
  "January", "February", "March", "April", "May", "June",
  "July", "August", "September", "October", "November", "December",
];

// An element with texts and other elements in it.
function make(name, ...children) {
  const element = document.createElement(name);
  element.append(...children);
  return element;
}

function styled(name, style, ...children) {
  const element = make(name, ...children);
  element.className = style;
  return element;
}

// ---- the verdict and the checks

function verdictOf({ verdict, report }) {
  const { word, means } = VERDICTS[verdict];
  const told = styled("div", `verdict ${verdict}`, make("p", make("strong", word), means));
  const failed = report.checks.filter((check) => check.verdict === "failed");
  for (const { name, explanation } of failed) told.append(make("p", `${CHECKS[name]}: ${explanation}.`));
  if (failed.length === 1 && failed[0].name === "policy") told.append(make("p", YOUNG));
  return told;
}

function everythingFound({ verdict, report, statement }) {
  const told = [];
  if (report.summary) told.push(...saying(verdict, report.summary, statement));
  told.push(make("h3", "Every check"), checks(report.checks));
  told.push(json("The report as dsr verify --json writes it", report));
  if (statement) told.push(json("The signed statement", statement));
  return told;
}

function checks(lines) {
  const heads = ["Check", "Result", "What was found"].map((head) => {
    const cell = make("th", head);
    cell.scope = "col";
    return cell;
  });
  const rows = lines.map(({ name, verdict, explanation }) => {
    const head = make("th", CHECKS[name], " ", make("code", name));
    head.scope = "row";
    return styled("tr", verdict, head, styled("td", "mark", MARKS[verdict]), make("td", explanation));
  });
  return styled("table", "checks", make("thead", make("tr", ...heads)), make("tbody", ...rows));
}

function json(title, value) {
  const text = make("pre", make("code", JSON.stringify(value, null, 2)));
  text.tabIndex = 0;
  text.setAttribute("aria-label", title);
  return make("details", make("summary", title), text);
}

// ---- what the receipt says

function saying(verdict, summary, statement) {
  const says = statement.predicate;
  const told = [
    make("h3", verdict === "verified" ? "What it says" : "What it says, on nobody’s word"),
    facts(summary, says),
  ];
  if (says.stores) {
    told.push(make("h3", says.stores.length > 0 ? "Place by place" : "No place was concerned"));
    told.push(...says.stores.map(store));
  }
  told.push(make("h3", "What it does not show"), limits(summary, says));
  return told;
}

function facts(summary, says) {
  const { controller } = says;
  const list = [
    ["Kind", KINDS[summary.kind]],
    ["Reference", summary.reference],
    ["Company", `${controller.name}, which ${ROLES[controller.role]}`],
    ["Asked for", RIGHTS[says.right]],
    ["How it ended", OUTCOMES[says.outcome]],
    ["Why it was refused", says.reason && words(says.reason)],
    ["People it is for", members(says.members)],
    ["Law", says.regime && `${says.regime.id}, version ${says.regime.version}`],
    ["Accepted", time(says.accepted_at)],
    ["Identity proven", time(says.verified_at)],
    ["Answer due", time(says.due_at)],
    ["Extended to", time(says.extended_to)],
    ["Answered", time(says.responded_at)],
    ["Work complete", time(says.completed_at)],
    ["Places declared", says.data_map && places(says.data_map)],
    ["Handed over", says.disclosure && handed(says.disclosure)],
    ["Day", says.day && day(says.day)],
    ["Requests told of", says.lines?.length],
    ["Corrections told of", says.amendments?.length],
    ["Requests without an answer yet", says.open_count],
    ["Correction number", says.amendment],
    ["Corrects entry", says.supersedes],
    ["Log", `entry ${summary.leaf_index} of ${summary.tree_size} in ${summary.log}`],
    ["Witnesses", witnesses(summary.witnesses)],
  ];
  const there = list.filter(([, value]) => value !== undefined);
  return styled("dl", "facts", ...there.map(([name, value]) => make("div", make("dt", name), make("dd", String(value)))));
}

function members(told) {
  if (typeof told !== "object") return told;
  const { count, completed, partial, denied, revoked } = told;
  return `${count}: ${completed} done, ${partial} done in part, ${denied} refused, ${revoked} withdrawn`;
}

function places({ stores_declared: declared, stores_unmapped: unmapped }) {
  if (unmapped === undefined) return `${declared}; nobody looked for others`;
  return `${declared}; ${unmapped === 0 ? "no others were found" : `${unmapped} others were found`}`;
}

function handed({ bytes, delivered_at: at, method }) {
  return `${bytes} bytes, by ${words(method)}, ${time(at)}`;
}

function witnesses(cosigned) {
  const names = Object.entries(cosigned);
  if (names.length === 0) return "none";
  // Beyond the year 9999, dates are written in another way.
  const at = (seconds) => (seconds < 253402300800 ? time(new Date(seconds * 1000).toISOString()) : `${seconds} s after 1970`);
  return names.map(([name, seconds]) => `${name}, ${at(seconds)}`).join("; ");
}

function store(line) {
  const told = COUNTS.filter(([name]) => line[name] > 0 || (name === "matched" && line[name] === 0));
  const items = told.map(([name, means]) => `${line[name]} ${means}`);
  for (const { reason, count, until } of line.exempt) {
    items.push(`${count} kept for a legal reason (${words(reason)})${until ? `, until ${time(until)}` : ""}`);
  }
  for (const { reason, until } of line.blocked) {
    items.push(`Not done (${words(reason)})${until ? `, until ${time(until)}` : ""}`);
  }
  if (line.attested) items.push(`A person gave their word for this place, ${time(line.attested.at)}`);
  if (line.check) items.push(lookBack(line.check));
  for (const { what, until } of line.residuals) {
    items.push(`Copies remain in: ${RESIDUALS[what]}, ${until ? `until ${time(until)}` : "with no end that is known"}`);
  }
  return styled("section", "store", make("h4", line.store), make("ul", ...items.map((item) => make("li", item))));
}

function lookBack({ method, at, residual_matches: still, arrived_since: later }) {
  return `Looked at again ${METHODS[method]}, ${time(at)}: ${still} still there, ${later} arrived since`;
}

function limits(summary, says) {
  const told = [
    "That the company told the truth. It shows that the company bound itself to these words, where it cannot quietly take them back.",
    "That no other place has copies: a place that was never declared is missing here, too.",
  ];
  if (Object.keys(summary.witnesses).length === 0) {
    told.push("When it was made, and that the log shows everybody the same: no witness signed. All times are the company’s word.");
  }
  if (says.acceptance) told.push("That the acceptance is in the log: the file shows only that the link to it is possible.");
  return make("ul", ...told.map((line) => make("li", line)));
}

// ---- words and times

function words(code) {
  return code.replaceAll("_", " ");
}

// `2026-11-23T20:47Z`, and longer forms of it.
function time(text) {
  if (text === undefined) return undefined;
  return `${day(text.slice(0, 10))}, ${text.slice(11, 16)} UTC`;
}

function day(text) {
  const [year, month, date] = text.split("-").map(Number);
  return `${date} ${MONTHS[month - 1]} ${year}`;
}
