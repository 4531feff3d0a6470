/** Hash tags, which decide on which node of a cluster a key is stored. */

// The slots of these tags are evenly distributed, so up to sixteen nodes get the same share of keys.
const tags = ["ma", "qp", "dj", "wz", "lg", "pv", "uh", "iy", "ly", "ph", "uv", "yc", "rz", "qn", "dt", "ha"]

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/**
 * Returns one of sixteen tags for a hash of 256 bits in base64url. All tags are equally frequent.
 *
 * **Details** With few tags, one script can handle many keys of a batch. With several tags, the keys spread over the nodes.
 */
export const hashTag = (hash: string): string =>
  // 43 characters encode 258 bits, so the last character has four significant bits, the upper ones.
  tags[alphabet.indexOf(hash.slice(-1)) >> 2] ?? tags[0]!
