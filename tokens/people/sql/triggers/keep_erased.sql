-- Keeps a person who was erased as the erasure left them: see tokens_keep_erased.
CREATE OR REPLACE TRIGGER keep_erased BEFORE UPDATE ON auth_user
    FOR EACH ROW EXECUTE FUNCTION tokens_keep_erased()
