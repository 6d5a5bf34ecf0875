-- Ends a job that is assembled.
-- arg: round, token, JSON list of the pages that count as ok but have no file.
local missing = cjson.decode(arg(3))
local current = tonumber(arg(1)) == num('round') and finished()
if current and answer_again(arg(2), 'end') then return reply({state = get('state')}) end
if not current or not let_go(arg(2), 'end', 'assemble') then return reply({stale = true}) end
for _, n in ipairs(missing) do
  if n <= num('cursor') and not redis.call('HGET', pages, n) then
    add('ok', -1)
    fail_page(n, 0, 'storage_error', 'the text of this page is no longer in the spool; retry the job')
  end
end
local ok, n = num('ok'), num('n')
local state = 'failed'
if get('cancel') and num('cancelled') > 0 then
  state = 'cancelled'
elseif ok == n then
  state = 'done'
elseif ok > 0 then
  state = 'partial'
end
end_job(state)
settle()
return reply({state = state})
