/** An error as EMR and EMR Serverless answer it: HTTP 400 unless said otherwise. */
export class ApiError extends Error {
  override readonly name: string;
  readonly status: number;
  /** Of an InvalidRequestException. */
  readonly errorCode: string | undefined;

  constructor(
    name: string,
    message: string,
    details: { status?: number; errorCode?: string } = {},
  ) {
    super(message);
    this.name = name;
    this.status = details.status ?? 400;
    this.errorCode = details.errorCode;
  }

  /** As AWS JSON 1.1 has it; in REST a header names the error, and the rest is the same. */
  get body(): Record<string, unknown> {
    if (this.name !== INVALID_REQUEST) return { __type: this.name, message: this.message };
    return {
      __type: this.name,
      ErrorCode: this.errorCode ?? 'ValidationError',
      Message: this.message,
    };
  }
}

/** What RunJobFlow and its kin of 2009 say. */
export function validation(message: string): ApiError {
  return new ApiError('ValidationException', message);
}

/** What Describe, List and the other actions of 2013 and later say. */
export function invalidRequest(message: string, errorCode?: string): ApiError {
  return new ApiError(INVALID_REQUEST, message, errorCode === undefined ? {} : { errorCode });
}

const INVALID_REQUEST = 'InvalidRequestException';
