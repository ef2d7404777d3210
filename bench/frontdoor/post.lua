-- wrk: the same POST again and again. BENCH_BODY names the file of its body, BENCH_HOST Portkey's upstream.
local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer token"
wrk.headers["x-portkey-provider"] = "openai"
wrk.headers["x-portkey-custom-host"] = os.getenv("BENCH_HOST")
file:close()

-- Microseconds, so that the caller need not read wrk's units.
function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format("RESULT requests=%d us=%d p50=%d p99=%d errors=%d", summary.requests, summary.duration,
                      latency:percentile(50), latency:percentile(99),
                      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
