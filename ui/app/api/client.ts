// One fetch for all: JSON in, problem+json out as an ApiError that says what the server said.
import type { Problem } from './types.ts';

export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.detail || problem.title || `the server answered ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
  }
}

export type Params = Record<string, string | number | string[] | undefined>;

export function apiUrl(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value === undefined || value === '') continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(key, String(one));
  }
  const text = query.toString();
  return `/api/v1/${path}${text ? `?${text}` : ''}`;
}

export async function apiGet(path: string, params?: Params, signal?: AbortSignal): Promise<unknown> {
  const response = await request(apiUrl(path, params), signal);
  return await response.json();
}

/** The response once its status is a success; every other outcome is an ApiError or an abort. */
export async function request(
  url: string,
  signal?: AbortSignal,
  accept = 'application/json',
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal, headers: { accept } });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, {
      title: 'The server cannot be reached',
      detail: 'No answer from the Throughline server. Is it running, and is this page open at its address?',
    });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response: Response): Promise<ApiError> {
  const type = response.headers.get('content-type') ?? '';
  const text = await response.text().catch(() => '');
  if (type.includes('json')) {
    try {
      return new ApiError(response.status, JSON.parse(text) as Problem);
    } catch {
      // Told below, as text.
    }
  }
  const title = `${response.status} ${response.statusText}`.trim();
  return new ApiError(response.status, { title, detail: text.trim().slice(0, 500) || undefined });
}
