async def test_whoever_opens_the_bare_address_is_shown_the_documentation(anonymous):
    response = await anonymous.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/docs")
    assert (await anonymous.get("/docs")).status_code == 200
