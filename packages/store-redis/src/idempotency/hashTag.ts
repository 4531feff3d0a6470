/** The part of a key by which a cluster decides where the key belongs. */

// Their slots are in the middle of each sixteenth of all slots: any number of nodes up to sixteen gets its share.
const tags = ["ma", "qp", "dj", "wz", "lg", "pv", "uh", "iy", "ly", "ph", "uv", "yc", "rz", "qn", "dt", "ha"]

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/**
 * One of sixteen tags for a hash of 256 bits in base64url, all of them equally frequent.
 *
 * **Details** With fewer tags than slots, many keys of a batch go to a cluster in one script; with more than one, no
 * node has all of them.
 */
export const hashTag = (hash: string): string =>
  // 43 characters have room for 258 bits, which leaves the last one four of its six, the upper ones.
  tags[alphabet.indexOf(hash.slice(-1)) >> 2] ?? tags[0]!
