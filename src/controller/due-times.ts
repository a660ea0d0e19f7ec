/** Things that are due at a time, earliest first; equal times in the order of arrival. */
export interface DueTimes<T> {
  add(item: T, dueAtMs: number): void;
  /** The earliest, left in place. */
  peek(): Due<T> | undefined;
  /** Takes the earliest out. */
  shift(): Due<T> | undefined;
}

/** An item and its time. */
export interface Due<T> {
  readonly item: T;
  readonly dueAtMs: number;
  readonly order: number;
}

/** A binary heap: adding and taking are logarithmic. */
export function createDueTimes<T>(): DueTimes<T> {
  const heap: Due<T>[] = [];
  let order = 0;

  function isBefore(a: Due<T> | undefined, b: Due<T> | undefined): boolean {
    if (a === undefined || b === undefined) return a !== undefined;
    return a.dueAtMs === b.dueAtMs ? a.order < b.order : a.dueAtMs < b.dueAtMs;
  }

  function swap(i: number, j: number): void {
    const [a, b] = [heap[i], heap[j]];
    if (a === undefined || b === undefined) return;
    heap[i] = b;
    heap[j] = a;
  }

  function rise(from: number): void {
    for (let i = from; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i], heap[parent])) return;
      swap(i, parent);
      i = parent;
    }
  }

  function sink(): void {
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      const child = isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!isBefore(heap[child], heap[i])) return;
      swap(i, child);
      i = child;
    }
  }

  return {
    add(item, dueAtMs) {
      heap.push({ item, dueAtMs, order });
      order += 1;
      rise(heap.length - 1);
    },
    peek: () => heap[0],
    shift() {
      const [first] = heap;
      const last = heap.pop();
      if (first !== undefined && last !== undefined && first !== last) {
        heap[0] = last;
        sink();
      }
      return first;
    },
  };
}
