-- Ends a job that is assembled.
-- arg: round, token, JSON list of the pages that count as ok but have no file, then the code and the message with which
-- these pages fail.
local missing = cjson.decode(arg(3))
local current = tonumber(arg(1)) == num('round') and finished()
if current and answer_again(arg(2), 'end') then return reply({state = get('state')}) end
if not current or not let_go(arg(2), 'end', 'assemble') then return reply({stale = true}) end
for _, n in ipairs(read_pages(missing)) do
  add('ok', -1)
  fail_page(n, 0, arg(4), arg(5))
end
local state = final_state(num('ok'))
end_job(state)
settle()
return reply({state = state})
