export interface DocumentCommand {
  line: number;
  /** `longhaul` or `npm`, then the other words. */
  words: string[];
}

/** Every `longhaul …` and `npm run …` at the start of a line in a code block, or in inline code. */
export function commandsIn(text: string): DocumentCommand[] {
  const inBlocks = linesOf(text).filter(({ fenced }) => fenced);
  return [...inBlocks.map(({ line, text: code }) => ({ line, code })), ...inlineCode(text)].flatMap(
    ({ line, code }) => {
      const words = commandWords(code);
      return words ? [{ line, words }] : [];
    },
  );
}

export function inlineCode(text: string): { line: number; code: string }[] {
  return linesOf(text)
    .filter(({ fenced }) => !fenced)
    .flatMap(({ line, text: content }) =>
      Array.from(content.matchAll(/`([^`]+)`/g), ([, code]) => ({ line, code: code ?? '' })),
    );
}

/** Targets of links and images on the same host. */
export function links(text: string): { line: number; target: string }[] {
  return linesOf(text)
    .filter(({ fenced }) => !fenced)
    .flatMap(({ line, text: content }) =>
      Array.from(withoutCode(content).matchAll(/\]\(\s*<?([^)>\s]+)/g), ([, target]) => ({
        line,
        target: target ?? '',
      })),
    )
    .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
}

/** `docs/<name>.md` anywhere in the text, with or without `#<heading>`. */
export function pointers(text: string): { line: number; target: string }[] {
  return text.split('\n').flatMap((content, index) =>
    Array.from(content.matchAll(/(?<![\w/.-])docs\/[\w/-]+\.md(?:#[\w-]+)?/g), ([target]) => ({
      line: index + 1,
      target,
    })),
  );
}

/** Anchors that GitHub makes of the headings. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const { text: content, fenced } of linesOf(text)) {
    const heading = fenced ? undefined : /^#{1,6}\s+(.*?)\s*$/.exec(content)?.[1];
    if (heading === undefined) continue;
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n += 1) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

function linesOf(text: string): { line: number; text: string; fenced: boolean }[] {
  let fenced = false;
  return text.split('\n').flatMap((content, index) => {
    const fence = /^\s*(```|~~~)/.test(content);
    if (fence) fenced = !fenced;
    return fence ? [] : [{ line: index + 1, text: content, fenced }];
  });
}

function withoutCode(content: string): string {
  return content.replaceAll(/`[^`]*`/g, '');
}

/** Words of a command without prompt, variables and npx. Undefined if the code is not a command of this project. */
function commandWords(code: string): string[] | undefined {
  const plain = code.trim().replace(/^(?:\$\s+)?(?:[A-Z_]+=\S*\s+)*(?:npx\s+)?/, '');
  if (!/^(longhaul|npm (run|test))(\s|$)/.test(plain)) return undefined;
  const words: string[] = [];
  for (const [word] of plain.matchAll(/"[^"]*"|'[^']*'|[^\s"']+/g)) {
    if (/^(#.*|[|;<>&]+|\|\||\d?>.*)$/.test(word)) break;
    // A synopsis has forms like `[--name NAME]` and `<dataset…>`.
    const bare = word.replaceAll(/^[["'(]+|[\])"',;…]+$/g, '');
    if (bare !== '') words.push(bare);
  }
  // The words that npm passes to a script are not checked.
  const handedOn = words[0] === 'npm' ? words.indexOf('--') : -1;
  return handedOn === -1 ? words : words.slice(0, handedOn);
}
