-- What each client of wrk sends: the photos in turn, as a browser does. wrk ... -- PATH PHOTO [PHOTO ...]

local boundary = "b0undary-of-the-benchmark"
local headers = { ["Content-Type"] = "multipart/form-data; boundary=" .. boundary }
local bodies, path, turn = {}, "/", 0

function init(arguments)
  path = arguments[1]
  for number = 2, #arguments do
    local file = assert(io.open(arguments[number], "rb"))
    bodies[number - 1] = "--" .. boundary .. "\r\nContent-Disposition: form-data; name=\"photos\"; filename=\""
      .. number .. ".jpg\"\r\nContent-Type: image/jpeg\r\n\r\n" .. file:read("*a") .. "\r\n--" .. boundary .. "--\r\n"
    file:close()
  end
end

function request()
  turn = turn % #bodies + 1
  return wrk.format("POST", path, headers, bodies[turn])
end

function done(summary, latency)
  local failed = 0
  for _, count in pairs(summary.errors) do failed = failed + count end
  io.write(string.format(
    "\n{\"requests\": %d, \"failures\": %d, \"seconds\": %f, \"p50\": %f, \"p95\": %f, \"p99\": %f}\n",
    summary.requests, failed, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
