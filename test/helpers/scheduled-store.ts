import type fc from 'fast-check';
import type { Store, StoredObject } from '../../src/storage/store.ts';

export function withMethods(store: Store, methods: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = methods[name as keyof Store] ?? target[name as keyof Store];
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A store whose operations happen when the scheduler says so. Two callers can meet in every order. */
export function scheduled(store: Store, scheduler: fc.Scheduler): Store {
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => scheduler.scheduleFunction(act)();
  const list = async (prefix: string): Promise<StoredObject[]> => {
    const objects: StoredObject[] = [];
    for await (const object of store.list(prefix)) objects.push(object);
    return objects;
  };
  return withMethods(store, {
    get: async (key) => await inTurn(async () => await store.get(key)),
    size: async (key) => await inTurn(async () => await store.size(key)),
    folders: async (prefix) => await inTurn(async () => await store.folders(prefix)),
    putIfAbsent: async (key, body) => await inTurn(async () => await store.putIfAbsent(key, body)),
    delete: async (key) => await inTurn(async () => await store.delete(key)),
    list: async function* (prefix) {
      yield* await inTurn(async () => await list(prefix));
    },
  });
}
