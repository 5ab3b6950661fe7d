import type { Store } from '../../src/storage/store.ts';

/** A store that does the writes before number `write` (1 is the first) and fails from that one on. */
export function crashingAt(write: number, store: Store): Store {
  let writes = 0;
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const method: unknown = Reflect.get(target, name, target);
      if (typeof method !== 'function') return method;
      const call = method.bind(target) as (...args: unknown[]) => unknown;
      if (!['put', 'putIfAbsent', 'putFile'].includes(name)) return call;
      return async (...args: unknown[]) => {
        writes += 1;
        if (writes >= write) throw new Error('the worker was killed');
        return await call(...args);
      };
    },
  });
}
