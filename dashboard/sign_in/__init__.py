"""The pages under `/auth/`: signing in and out, the password, and second factors."""
