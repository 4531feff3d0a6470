import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    globalSetup: ["@multistatus/test-services/postgres", "@multistatus/test-services/mariadb"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
