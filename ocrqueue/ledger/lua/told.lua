-- arg: round. The end of that round has been told; the end of a later one has not.
if tonumber(arg(1)) == num('round') then redis.call('ZREM', untold, id) end
return reply()
