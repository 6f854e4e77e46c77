/* Activation of an account: makes the keys of a vault from a password, in this browser. The password is never sent: its fields have no
   name. What is made and sent is described in decision 21 of the documentation. */
(() => {
  const $ = (id) => document.getElementById(id), form = $("activate");
  if (!form) return;
  if (!isSecureContext || !crypto.subtle) { $("insecure").hidden = false; form.hidden = true; return; }
  const password = $("password"), again = $("again"), hint = $("strength"), go = $("go"), label = go.textContent;
  const LEAST = 12, MOST = 128;

  const bytes = (text) => new TextEncoder().encode(text);
  const encoded = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const decoded = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

  /* Returns the two keys: one that wraps the vault's key and cannot leave this page, one by which the server recognises its owner. */
  async function keys(text, salt, iterations) {
    const typed = await crypto.subtle.importKey("raw", bytes(text.normalize("NFKC")), "PBKDF2", false, ["deriveBits"]);
    const master = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, typed, 256);
    const root = await crypto.subtle.importKey("raw", master, "HKDF", false, ["deriveBits", "deriveKey"]);
    const hkdf = (info) => ({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: bytes(info) });
    return {
      wrapping: await crypto.subtle.deriveKey(hkdf("rollcall vault wrapping"), root, { name: "AES-GCM", length: 256 }, false, ["encrypt"]),
      recognition: await crypto.subtle.deriveBits(hkdf("rollcall vault recognition"), root, 256),
    };
  }

  async function make() {
    const salt = decoded(form.elements.salt.value);
    const { wrapping, recognition } = await keys(password.value, salt, Number(form.dataset.rounds));
    const vault = crypto.getRandomValues(new Uint8Array(32)), iv = crypto.getRandomValues(new Uint8Array(12));
    const wrapped = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: salt }, wrapping, vault);
    vault.fill(0);
    form.elements.key.value = encoded(recognition);
    form.elements.wrapped.value = encoded([...iv, ...new Uint8Array(wrapped)]);
  }

  const length = () => [...password.value].length;
  const isCommon = () => new Set(password.value.toLowerCase()).size < 4;
  const isName = () => { const n = $("user").value.toLowerCase(); return n.length >= 8 && password.value.toLowerCase().includes(n); };

  function rated() {
    const n = length(), more = LEAST - n;
    if (n === 0) return "12 characters or more; a sentence is a good one.";
    if (more > 0) return more === 1 ? "1 more character is needed." : `${more} more characters are needed.`;
    if (isCommon() || isName()) return "Easy to guess: choose another one.";
    return n < 20 ? "Long enough. A few more words make it much harder to guess." : "Good: a password of this length is hard to guess.";
  }

  function mistake() {
    if (length() < LEAST || length() > MOST) return [password, `A password has ${LEAST} to ${MOST} characters, this one has ${length()}.`];
    if (isCommon()) return [password, "This password is among the first that are tried: choose another one."];
    if (isName()) return [password, "The password holds your user name: choose another one."];
    if (again.value !== password.value) return [again, "The two passwords differ: type the second one again."];
    return null;
  }

  function say(text, field) {
    for (const each of [password, again]) each.toggleAttribute("aria-invalid", false);
    $("trouble").hidden = false; $("said").textContent = text;
    if (field) { field.setAttribute("aria-invalid", "true"); field.focus(); }
  }

  let busy = false;
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    if (busy) return;
    const wrong = mistake();
    if (wrong) { say(wrong[1], wrong[0]); return; }
    busy = true; $("trouble").hidden = true; go.setAttribute("aria-busy", "true"); go.textContent = "Making the keys…";
    try { await make(); form.submit(); }
    catch { busy = false; go.removeAttribute("aria-busy"); go.textContent = label; say("This browser could not make the keys. Try another browser, or a newer version of this one."); }
  });
  password.addEventListener("input", () => { hint.textContent = rated(); });
  $("fields").disabled = false;
  password.focus();
})();
