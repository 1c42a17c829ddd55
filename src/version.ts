/** The program's version, put in by the build. */
declare const __GITSYNC_VERSION__: string | undefined;

export const version: string = typeof __GITSYNC_VERSION__ === 'string' ? __GITSYNC_VERSION__ : '0.0.0-source';
