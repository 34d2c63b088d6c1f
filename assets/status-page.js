/**
 * Keeps the status page up to date. The daemon sends sections as HTML that it has made itself; what differs is put in
 * place node by node, so that focus, selection and scroll positions stay where they are.
 */
(() => {
  'use strict';
  const RETRY_MS = 10_000;
  /** The daemon says something every 15 s. A connection that leads nowhere is no error for the browser. */
  const SILENCE_MS = 40_000;
  const byId = (id) => document.getElementById(id);
  const asIs = { createHTML: (text) => text };
  const policy = window.trustedTypes?.createPolicy('debtorrent', asIs) ?? asIs;
  const version = document.querySelector('meta[name=version]').content;

  function parse(text) {
    const template = document.createElement('template');
    template.innerHTML = policy.createHTML(text);
    return document.importNode(template.content, true);
  }

  function patchAttributes(before, after) {
    for (const { name } of [...before.attributes]) if (!after.hasAttribute(name)) before.removeAttribute(name);
    for (const { name, value } of after.attributes)
      if (before.getAttribute(name) !== value) before.setAttribute(name, value);
  }

  /** Makes the children of `before` those of `after`. */
  function patchChildren(before, after) {
    const wanted = [...after.childNodes];
    while (before.childNodes.length > wanted.length) before.lastChild.remove();
    for (const [index, node] of wanted.entries()) {
      const there = before.childNodes[index];
      if (!there) before.append(node);
      else if (there.nodeType !== node.nodeType || there.nodeName !== node.nodeName) there.replaceWith(node);
      else if (there.nodeType === Node.TEXT_NODE) {
        if (there.data !== node.data) there.data = node.data;
      } else if (there.nodeType === Node.ELEMENT_NODE) {
        patchAttributes(there, node);
        patchChildren(there, node);
      }
    }
  }

  function show(sections) {
    if (sections.version !== undefined && sections.version !== version) return location.reload();
    for (const [name, text] of Object.entries(sections)) {
      const place = document.querySelector(`[data-live="${CSS.escape(name)}"]`);
      if (place) patchChildren(place, parse(text));
      // the page was loaded while nothing could be shown
      else if (name === 'now') return location.reload();
    }
  }

  let source;
  let retry;
  let silence;
  let paused = false;

  function say(text, kind) {
    const live = byId('live');
    live.textContent = text;
    live.dataset.kind = kind;
  }

  /** What is on the page is how it was: its head at least must not go on saying that it works. */
  function lost() {
    say('no answer, trying again', 'bad');
    const head = document.querySelector('[data-live=state] .headline');
    const text = 'It does not answer. What follows is how it was.';
    // what is written once more is read out once more, at every try
    if (!head || head.querySelector('bdi').textContent === text) return;
    head.className = 'headline broken';
    head.querySelector('.mark').textContent = '✕';
    head.querySelector('bdi').textContent = text;
  }

  /** What the daemon says when it has no place for this window; undefined when it says something else, or nothing. */
  async function tooMany() {
    const enough = new AbortController();
    try {
      const answer = await fetch('/status.events', { signal: enough.signal });
      return answer.headers.get('X-Debtorrent-Error') === 'OVERLOADED' ? (await answer.text()).trim() : undefined;
    } catch {
      return undefined;
    } finally {
      enough.abort();
    }
  }

  function expect() {
    clearTimeout(silence);
    silence = setTimeout(() => {
      lost();
      listen();
    }, SILENCE_MS);
  }

  function close() {
    clearTimeout(retry);
    clearTimeout(silence);
    source?.close();
    source = undefined;
  }

  /** Listens while somebody can see it. */
  function listen() {
    close();
    if (paused || document.hidden) return;
    source = new EventSource('/status.events');
    expect();
    source.addEventListener('message', ({ data }) => {
      expect();
      say('live', 'good');
      show(JSON.parse(data));
    });
    source.addEventListener('error', () => {
      if (source?.readyState !== EventSource.CLOSED) return lost();
      // refused for good: the browser does not try again by itself, nor says why
      retry = setTimeout(listen, RETRY_MS);
      const refused = source;
      void tooMany().then((says) => {
        if (source !== refused) return;
        if (says === undefined) return lost();
        clearTimeout(silence);
        say(`not live: ${says}`, 'idle');
      });
    });
  }

  byId('pause').addEventListener('click', ({ currentTarget }) => {
    paused = !paused;
    currentTarget.setAttribute('aria-pressed', String(paused));
    if (paused) say('paused', 'idle');
    listen();
  });
  document.addEventListener('visibilitychange', listen);
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', ({ persisted }) => persisted && listen());

  /** The clipboard is there on secure origins only; elsewhere the line is selected and the old command tried. */
  async function copy(line, button) {
    const text = line.textContent;
    let done = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    if (!done) {
      getSelection().selectAllChildren(line);
      done = document.execCommand('copy');
    }
    button.textContent = done ? 'Copied' : 'Selected';
    setTimeout(() => (button.textContent = 'Copy'), 2_000);
  }

  for (const place of document.querySelectorAll('pre.copy')) {
    const line = place.querySelector('code');
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', `Copy: ${line.textContent}`);
    button.addEventListener('click', () => void copy(line, button));
    place.append(button);
  }

  document.querySelector('.live').hidden = false;
  listen();
})();
