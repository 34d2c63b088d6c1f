/** How APT is pointed at the daemon: lines to copy, with the address by which this page was reached. */
import { html, type Html, type Part } from './html.ts';

export interface UseFacts {
  /** HOST:PORT as the browser reached it. */
  readonly here: string;
  /** HOST:PORT for other machines; undefined when only this one is served. */
  readonly others: string | undefined;
  /** Nobody has asked for anything yet. */
  readonly unused: boolean;
}

export function use({ here, others, unused }: UseFacts): Html {
  return html`<section class="card" id="use" aria-labelledby="use-title">
    <details ${unused && openAttribute}>
      <summary><h2 id="use-title">Point APT at it</h2></summary>
      ${way('On this machine', html`It shows what it would change, and asks. <code>--undo</code> takes it back.`, 'sudo debtorrent setup')}
      ${way('Or by hand, for all sources', html`Sources stay as they are; one file in apt.conf.d is enough.`, proxy(here))}
      ${way('Or for one source', html`Write the address in front of the mirror, in sources.list.`, prefix(here))}
      ${way('And back again', html`APT then goes to the mirror directly.`, 'sudo rm /etc/apt/apt.conf.d/30debtorrent')}
      ${
        others === undefined
          ? html`<p class="soft">
              Only this machine is served. To serve a network, start it with <code>--listen 0.0.0.0:9988</code>.
            </p>`
          : others !== here &&
            way('On other machines of the network', html`The same, with this machine’s address.`, proxy(others))
      }
    </details>
  </section>`;
}

const openAttribute = html`open`;

function way(title: string, says: Part, line: string): Html {
  return html`<h3>${title}</h3>
    <p class="soft">${says}</p>
    <pre class="copy" tabindex="0"><code>${line}</code></pre>`;
}

function proxy(address: string): string {
  return `echo 'Acquire::http::Proxy "http://${address}";' | sudo tee /etc/apt/apt.conf.d/30debtorrent`;
}

function prefix(address: string): string {
  return `deb http://${address}/ftp.us.debian.org/debian trixie main`;
}
