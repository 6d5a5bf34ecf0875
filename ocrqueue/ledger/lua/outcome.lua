-- Returns the state and the counts with which `end` ends the job; changes nothing.
-- arg: JSON list of the pages that count as ok but have no file.
local lost = #read_pages(cjson.decode(arg(1)))
local ok = num('ok') - lost
return cjson.encode({state = final_state(ok), ok = ok, failed = num('failed') + lost, cancelled = num('cancelled')})
