/**
 * Finds the known name that a misspelled one was most likely meant to be; undefined if none is close.
 *
 * **Details** Close means that at most a third of the letters differ. Letter case does not count.
 */
export const nearestName = (name: string, known: Iterable<string>): string | undefined => {
  let nearest: string | undefined
  let smallest = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance > Math.max(name.length, candidate.length) / 3 || distance >= smallest) continue
    nearest = candidate
    smallest = distance
  }
  return nearest
}

/** The Levenshtein distance: how many letters have to be inserted, deleted or replaced. */
const editDistance = (from: string, to: string): number => {
  // `row[column]` is the distance between the letters of `from` read so far and the first `column` letters of `to`.
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1]
    for (let column = 0; column < to.length; column++) {
      const replaced = row[column]! + (from[index] === to[column] ? 0 : 1)
      next.push(Math.min(replaced, row[column + 1]! + 1, next[column]! + 1))
    }
    row = next
  }
  return row[to.length]!
}
