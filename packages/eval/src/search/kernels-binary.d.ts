export declare const kernelsBase64: string;
