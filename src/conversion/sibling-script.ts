/**
 * The address of a script beside the module at `moduleUrl`, for a thread or a child process: `.ts` when this
 * runs from the sources, `.js` when it runs from the build (which does not rewrite such addresses).
 */
export function siblingScript(name: string, moduleUrl: string): URL {
  return new URL(`./${name}${moduleUrl.endsWith('.ts') ? '.ts' : '.js'}`, moduleUrl);
}
