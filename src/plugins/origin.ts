// Who may open a WebSocket: browsers do not keep pages of other sites from trying, so the server must.
// Programs send no Origin; whoever can forge one is not in a browser.

/** An origin as a browser writes it: scheme and host, perhaps a port, nothing else. */
const ORIGIN = /^(https?):\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i;
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i;

/**
 * No origin; the server's own (`Host`, by http or https, for a proxy may have taken the TLS off); or one of `allowed`,
 * where `*` is any. "null" (a file, a sandboxed frame) is nobody's own.
 */
export function originAllowed(
  { origin, host }: { origin?: string | undefined; host?: string | undefined },
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes('*')) return true;
  const scheme = ORIGIN.exec(origin)?.[1];
  const own = scheme === undefined ? undefined : normalized(origin);
  if (own === undefined) return false;
  if (host !== undefined && HOST.test(host) && normalized(`${scheme}://${host}`) === own) return true;
  return allowed.some((other) => normalized(other) === own);
}

/** Lower case, the scheme's own port left out. */
function normalized(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}
