import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    globalSetup: ["@multistatus/test-services/postgres", "@multistatus/test-services/redis"],
    testTimeout: 60_000,
  },
})
