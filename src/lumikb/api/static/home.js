// The start page: state of the server, the form for the one-time link, sign-in, API keys.

const POLL_MILLISECONDS = 10_000;
const el = (id) => document.getElementById(id);
const show = (id, shown) => { el(id).hidden = !shown; };

/** Call a route: {ok, status, data}, where a failed call has `message`, a sentence for the reader. */
async function call(method, path, body) {
  const init = { method, headers: { Accept: "application/json" }, cache: "no-store" };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, init);
  } catch {
    return { ok: false, status: 0, message: "The server does not answer. Is it still running?" };
  }
  const data = answer.status === 204 ? null : await answer.json().catch(() => null);
  const message = data?.error?.message ?? `The server answered ${answer.status}.`;
  return { ok: answer.ok, status: answer.status, data, message };
}

/** Run `work` with the form's values when it is sent; a sentence that it returns is shown as the error. */
function onSend(form, work) {
  const button = form.querySelector("button");
  const said = form.querySelector(".said");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    said.textContent = "";
    said.classList.add("bad");
    said.textContent = (await work(Object.fromEntries(new FormData(form)))) ?? "";
    button.removeAttribute("aria-disabled");
  });
}

// What runs here

const STATES = { healthy: "healthy", degraded: "degraded", unhealthy: "unhealthy" };

function tellState(name, text, reasons) {
  el("state").dataset.state = name;
  el("state").textContent = text;
  el("reasons").textContent = reasons;
}

async function look() {
  const { ok, data, message } = await call("GET", "/health");
  if (!ok) {
    tellState("unhealthy", "not reachable", message);
    return;
  }
  const down = Object.entries(data.checks).filter(([, check]) => !check.ok);
  tellState(data.status, STATES[data.status] ?? data.status, down.map(([name, check]) => `${name}: ${check.reason}`).join(" "));
}

async function describe() {
  const { ok, data } = await call("GET", "/api/v1/status");
  if (!ok) return;
  el("version").textContent = data.version;
  const stores = { embedded: "embedded: everything in one process and one directory", production: "production: PostgreSQL holds the record" };
  el("profile").textContent = stores[data.profile] ?? data.profile;
}

// Who is here

function forgetToken() {
  history.replaceState(null, "", location.pathname);
}

function greet(user, welcome) {
  el("who").textContent = user.email;
  el("welcome").textContent = welcome;
  show("setup", false);
  show("sign-in", false);
  show("account", true);
  if (welcome) el("account-title").focus();
}

function askToSignIn(sentence = "") {
  show("setup", false);
  show("account", false);
  show("key", false);
  el("key-text").textContent = "";
  show("sign-in", true);
  el("sign-in-form").querySelector(".said").textContent = sentence;
  if (sentence) el("sign-in-title").focus();
}

async function arrive() {
  const token = new URLSearchParams(location.search).get("setup");
  if (token) {
    show("setup", true);
    onSend(el("setup-form"), (form) => setUp(token, form));
    return;
  }
  const me = await call("GET", "/api/v1/users/me");
  if (me.ok) greet(me.data, "");
  else askToSignIn();
}

async function setUp(token, { email, password }) {
  const { ok, status, data, message } = await call("POST", "/api/v1/auth/setup", { token, email, password });
  if (ok) {
    forgetToken();
    greet(data.user, "The administrator is created, and you are signed in. Next: add documents with the commands below, or create an API key for your programs.");
    return "";
  }
  if (status === 410) {
    forgetToken();
    askToSignIn("This server has been set up already. Sign in with the administrator's account.");
    return "";
  }
  return message;
}

async function signIn({ email, password }) {
  const { ok, data, message } = await call("POST", "/api/v1/auth/login", { email, password });
  if (!ok) return message;
  el("sign-in-form").reset();
  greet(data.user, "You are signed in.");
  return "";
}

async function signOut() {
  const { ok, status, message } = await call("POST", "/api/v1/auth/logout");
  if (ok || status === 401) {
    el("sign-out-said").textContent = "";
    askToSignIn();
    el("sign-in-title").focus();
  } else el("sign-out-said").textContent = message;
}

// API keys

async function createKey({ name }) {
  const { ok, status, data, message } = await call("POST", "/api/v1/api-keys", { name, scopes: ["read", "write"] });
  if (status === 401) {
    askToSignIn("Your session is over. Sign in again.");
    return "";
  }
  if (!ok) return message;
  el("key-form").reset();
  el("key-text").textContent = data.key;
  el("key-copied").textContent = "";
  show("key", true);
  el("key-title").focus();
  return "";
}

async function copyKey() {
  try {
    await navigator.clipboard.writeText(el("key-text").textContent);
    el("key-copied").textContent = "Copied.";
  } catch {
    // Browsers give no clipboard to pages over plain HTTP from another machine: then the text is selected instead.
    getSelection().selectAllChildren(el("key-text"));
    el("key-copied").textContent = "The key is selected: copy it with the keyboard.";
  }
}

onSend(el("sign-in-form"), signIn);
onSend(el("key-form"), createKey);
el("sign-out").addEventListener("click", signOut);
el("key-copy").addEventListener("click", copyKey);
describe();
look();
setInterval(() => { if (!document.hidden) look(); }, POLL_MILLISECONDS);
arrive();
