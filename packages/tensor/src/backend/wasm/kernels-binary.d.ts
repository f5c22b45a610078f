export declare const kernelsBase64: string;
/** Where the module says whether the memory that it imports is shared among threads. */
export declare const memoryFlagsAt: number;
