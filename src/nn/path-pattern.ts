// Patterns of dotted paths: `*` stands for any letters within one name, `**` for any, dots too; all else for itself.

/** Whether a path matches as a whole. Its time is the product of both lengths, whatever they are. */
export function parsePattern(text: string): (path: string) => boolean {
  const tokens = text.match(/\*\*|\*|[^*]/gs) ?? [];
  return (path) => {
    // reached[i]: the path so far matches the first i tokens.
    let reached = tokens.map(() => false);
    reached.unshift(true);
    skipStars(tokens, reached);
    for (const letter of path) {
      const next = tokens.map(() => false);
      next.unshift(false);
      for (const [i, token] of tokens.entries()) {
        const star = token === '**' || (token === '*' && letter !== '.');
        if (star && reached[i + 1]) next[i + 1] = true;
        else if (token === letter && letter !== '*' && reached[i]) next[i + 1] = true;
        if (star && reached[i]) next[i + 1] = true;
      }
      reached = next;
      skipStars(tokens, reached);
    }
    return reached[tokens.length]!;
  };
}

/** A star may stand for nothing. */
function skipStars(tokens: readonly string[], reached: boolean[]): void {
  for (const [i, token] of tokens.entries()) if (token.startsWith('*') && reached[i]) reached[i + 1] = true;
}
