// Helpers over ascending arrays of instants.

/** Index of the first element >= value. */
export function lowerBound(sorted: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the element nearest to value; -1 for an empty array. */
export function nearest(sorted: ArrayLike<number>, value: number): number {
  if (sorted.length === 0) return -1;
  const right = lowerBound(sorted, value);
  if (right === 0) return 0;
  if (right === sorted.length) return sorted.length - 1;
  return value - (sorted[right - 1] as number) <= (sorted[right] as number) - value ? right - 1 : right;
}
