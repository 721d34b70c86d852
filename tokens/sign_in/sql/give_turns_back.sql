-- Gives back the turns of a sign-in that succeeded.
UPDATE tokens_signinpace SET next_at = next_at - pause WHERE key = any(%(keys)s);
