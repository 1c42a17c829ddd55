/** The story in a repository whose ids are SHA-256, as git's next major version makes them. */
import { beforeAll } from '@jest/globals';
import './story.test.ts';

beforeAll(() => {
  process.env['GITSYNC_TEST_OBJECT_FORMAT'] = 'sha256';
});
