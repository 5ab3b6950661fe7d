import type { Lake, Store } from '../../src/storage/store.ts';
import { withMethods } from './scheduled-store.ts';

/** A lake whose host dies before the change of this number. 0 is the first change. */
export function dyingAt(lake: Lake, change: number): Lake {
  let left = change;
  const alive = async <T>(act: () => Promise<T>): Promise<T> => {
    left -= 1;
    if (left < 0) throw new Error('killed');
    return await act();
  };
  const dying = (store: Store): Store =>
    withMethods(store, {
      delete: async (key) => await alive(async () => await store.delete(key)),
      put: async (key, body) => await alive(async () => await store.put(key, body)),
      putIfAbsent: async (key, body) => await alive(async () => await store.putIfAbsent(key, body)),
    });
  return { raw: dying(lake.raw), converted: dying(lake.converted) };
}
