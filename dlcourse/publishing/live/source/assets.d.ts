// What esbuild puts in: files that are not TypeScript, and a constant.
declare module '*.wasm' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module '*.css';

/** The hash of this folder, put in by esbuild. */
declare const VERSION: string;
