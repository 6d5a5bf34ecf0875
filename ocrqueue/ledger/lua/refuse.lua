-- Fails a job whose document cannot be opened.
-- arg: token, code, message.
if not let_go(arg(1), 'document') then return reply({stale = true}) end
fail_job(arg(2), arg(3))
settle()
return reply()
