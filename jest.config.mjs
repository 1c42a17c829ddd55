// Four projects: "unit" (pure and quick), "integration" (real git, processes, file systems), "containers" (LXC, databases) and "peers" (gidit).
const shared = {
  rootDir: import.meta.dirname,
  testEnvironment: '<rootDir>/test/helpers/environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } }] },
  setupFiles: ['<rootDir>/test/helpers/hermetic-env.ts'],
};

export default {
  // Only hangs are ended; what is slow on a busy machine is not wrong.
  testTimeout: 300_000,
  maxWorkers: 2,
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/test/{core,config,errors,process,architecture}/**/*.test.ts'] },
    {
      ...shared,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/{git,watch,remote,agent,commands,docs,torture,security}/**/*.test.ts'],
      globalSetup: '<rootDir>/test/helpers/build-once.mjs',
    },
    {
      ...shared,
      displayName: 'containers',
      testMatch: ['<rootDir>/test/{gitted,packages}/**/*.test.ts'],
      globalSetup: '<rootDir>/test/helpers/build-once.mjs',
    },
    {
      ...shared,
      displayName: 'peers',
      testMatch: ['<rootDir>/test/gidit/**/*.test.ts'],
      globalSetup: '<rootDir>/test/helpers/build-once.mjs',
    },
  ],
};
