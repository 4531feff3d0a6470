import type { OxlintConfig } from "oxlint"
import { importRules } from "./scripts/rooms.ts"

const anyRuntime = ["process", "Buffer", "global", "__dirname", "__filename", "require", "setImmediate"]

const config: OxlintConfig = {
  plugins: ["eslint", "typescript", "unicorn", "oxc", "import", "promise", "node", "vitest"],
  categories: { correctness: "error", suspicious: "error" },
  ignorePatterns: ["**/dist/**", "**/node_modules/**"],
  rules: {
    eqeqeq: ["error", "always"],
    "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
    "no-var": "error",
    "prefer-const": "error",
    "import/no-cycle": ["error", { ignoreTypes: false }],
    "typescript/no-explicit-any": "error",
    "typescript/ban-ts-comment": "error",
    "typescript/consistent-type-imports": "error",
    "unicorn/prefer-node-protocol": "error",
    "vitest/no-disabled-tests": "error",
    "vitest/no-focused-tests": "error",
    "no-shadow": "off",
    "no-underscore-dangle": "off",
    "unicorn/consistent-function-scoping": "off",
    "unicorn/no-array-reverse": "off",
    "unicorn/no-array-sort": "off",
    "unicorn/require-module-specifiers": "off",
    "vitest/no-standalone-expect": ["error", { additionalTestBlockFunctions: ["it.effect", "it.live"] }],
    "vitest/expect-expect": "off",
    "vitest/no-conditional-expect": "off",
    "vitest/require-to-throw-message": "off",
    "oxc/no-async-endpoint-handlers": "off",
  },
  overrides: [
    {
      files: ["packages/**"],
      rules: {
        "no-restricted-imports": [
          "error",
          {
            patterns: [
              {
                regex: "^effect(/index)?$|^effect/(.*/)?internal/",
                message: "Import the module, `effect/<Module>`: the barrel loads all of Effect, and internals change.",
              },
              {
                regex: "^(\\.\\./)+(packages/)?(core|node-exchange|adapter-[a-z]+|store-[a-z]+)/",
                message: "Import another package by its name: only its exports are public.",
              },
            ],
          },
        ],
      },
    },
    {
      files: ["packages/core/src/**"],
      rules: {
        "no-restricted-globals": [
          "error",
          ...anyRuntime.map((name) => ({ name, message: "Core runs on any runtime." })),
        ],
        "no-console": "error",
      },
    },
    ...importRules(),
  ],
}

export default config
