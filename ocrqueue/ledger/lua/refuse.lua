-- Fails a job whose document cannot be opened.
-- arg: token, code, message.
if answer_again(arg(1), 'refuse') then return reply() end
if not let_go(arg(1), 'refuse', 'document') then return reply({stale = true}) end
fail_job(arg(2), arg(3))
settle()
return reply()
