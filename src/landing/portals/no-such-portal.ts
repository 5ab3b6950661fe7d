/** An address has the form of a portal's, and its host is no such portal: it is the address of a file. */
export class NoSuchPortal extends Error {}
