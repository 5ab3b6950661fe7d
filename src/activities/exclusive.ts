interface Holder {
  stop: AbortController;
  ended: Promise<unknown>;
}

const holders = new Map<string, Holder>();

/**
 * Runs `body` once no other body of the same key runs in this process: an earlier one, which Temporal has given
 * up or it would not have started this one, is stopped and waited for.
 */
export async function exclusively<T>(
  key: string,
  signal: AbortSignal,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (let before = holders.get(key); before; before = holders.get(key)) {
    before.stop.abort(new Error('A later attempt has taken over.'));
    await before.ended.catch(() => undefined);
  }
  signal.throwIfAborted();
  const stop = new AbortController();
  const running = body(AbortSignal.any([signal, stop.signal]));
  const holder: Holder = { stop, ended: running };
  holders.set(key, holder);
  try {
    return await running;
  } finally {
    if (holders.get(key) === holder) holders.delete(key);
  }
}
