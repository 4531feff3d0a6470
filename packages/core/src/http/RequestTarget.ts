/**
 * The target of a sub-request: an absolute path with an optional query. A checked target cannot name another origin or
 * path than it shows, nor inject a header.
 */
import * as Result from "effect/Result"

/**
 * Checks the `url` of a sub-request; fails with an error message.
 *
 * **Details** Refused are URLs that do not begin with `/`, and those with a scheme, an authority (`//host`), a backslash,
 * a control character, a space, a fragment, a character beyond ASCII, invalid percent-encoding, or a `..` that leaves the
 * root.
 */
export const check = (url: unknown): Result.Result<string, string> => {
  if (typeof url !== "string") return Result.fail(`"url" must be a string`)
  if (url === "") return Result.fail(`"url" must not be empty`)
  // oxlint-disable-next-line no-control-regex -- the check is for control characters
  if (/[\u0000-\u0020\u007f]/.test(url)) return Result.fail(`"url" must not contain spaces or control characters`)
  if (url.includes("\\")) return Result.fail(`"url" must not contain a backslash`)
  if (/^[a-z][a-z0-9+.-]*:/i.test(url)) return Result.fail(`"url" must be a path without scheme and host`)
  if (!url.startsWith("/")) return Result.fail(`"url" must be an absolute path: it must begin with "/"`)
  if (url.startsWith("//")) return Result.fail(`"url" must be a path without host: it must not begin with "//"`)
  if (url.includes("#")) return Result.fail(`"url" must not contain a fragment`)
  if (/[^\u0021-\u007e]/.test(url))
    return Result.fail(`"url" must be percent-encoded: it contains characters beyond ASCII`)
  if (/%(?![0-9a-f]{2})/i.test(url))
    return Result.fail(`"url" contains a "%" that is not followed by two hexadecimal digits`)
  if (/%(0[0-9a-f]|1[0-9a-f]|7f|5c)/i.test(pathOf(url))) {
    return Result.fail(`The path of "url" must not contain an encoded control character or backslash`)
  }
  if (leavesRoot(pathOf(url))) return Result.fail(`"url" must not leave the root with ".."`)
  return Result.succeed(url)
}

/** Returns the path and query of a request line's target, which may be a whole URL (RFC 9112, section 3.2.2). */
export const originForm = (target: string): string => {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target)?.[0]
  if (authority === undefined) return target
  const rest = target.slice(authority.length)
  return rest.startsWith("/") ? rest : `/${rest}`
}

/** Returns the path of a checked URL, without its query. */
export const pathOf = (url: string): string => {
  const query = url.indexOf("?")
  return query === -1 ? url : url.slice(0, query)
}

/**
 * Returns the normal form of a URL's path, which is the same for all spellings that routers commonly treat alike:
 * unreserved characters are percent-decoded and dot segments removed (RFC 3986, section 6.2.2), as are double and trailing
 * slashes; letters are in lower case.
 */
export const normalise = (url: string): string => {
  const decoded = pathOf(url).replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[\w.~-]/.test(character) ? character : escape
  })
  const segments: Array<string> = []
  for (const segment of decoded.split("/")) {
    if (segment === "..") segments.pop()
    else if (segment !== "" && segment !== ".") segments.push(segment)
  }
  return `/${segments.join("/")}`.toLowerCase()
}

const leavesRoot = (path: string): boolean => {
  let depth = 0
  for (const segment of path.replace(/%2e/gi, ".").split(/\/|%2f/i)) {
    if (segment === "..") depth--
    else if (segment !== "" && segment !== ".") depth++
    if (depth < 0) return true
  }
  return false
}
