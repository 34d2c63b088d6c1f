/** How figures and names are written for people, in the terminal and on the status page alike. */

/** Names come from anywhere: nothing in them may steer a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

/** `1.5 GiB`. */
export function bytes(amount: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = amount < 1 ? 0 : Math.min(Math.floor(Math.log2(amount) / 10), units.length - 1);
  return `${(amount / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** `3 min`, `2 h 5 min`, `4 days`; the two largest units at most. */
export function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.max(Math.floor(seconds), 0)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 1) return `${minutes} min`;
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** `12,345`. */
export function grouped(amount: number): string {
  return String(Math.round(amount)).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 file`, `12,345 files`. */
export function counted(amount: number, one: string, more = `${one}s`): string {
  return `${grouped(amount)} ${amount === 1 ? one : more}`;
}

/** A share of a whole in whole per cent, where nothing but all is 100 and nothing but none is 0. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return '0 %';
  const share = (100 * part) / whole;
  if (share > 0 && share < 1) return '<1 %';
  if (share > 99 && share < 100) return '>99 %';
  return `${Math.round(share)} %`;
}

/** What is wrong with a mirror that fails, by the code of its last error. */
export function mirrorTrouble(code: string | undefined): string {
  return answersWithErrors(code) ? 'answers with errors' : 'does not answer';
}

export function answersWithErrors(code: string | undefined): boolean {
  return code === 'MIRROR_ERROR' || code === 'MIRROR_PROTOCOL';
}
