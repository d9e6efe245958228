package verify

// timestampAuthority composes spec.timestampAuthority.
func (c *composer) timestampAuthority(t *trust) {
	const path = "spec.timestampAuthority"
	t.authorities, t.demandToken = c.root.timestamps(), c.demandsToken()
	spec := c.spec.TimestampAuthority
	switch {
	case spec == nil:
	case spec.Chain == "" && t.demandToken && len(t.authorities) == 0 && !c.root.broken:
		c.mistake(path+".enabled", "demands a timestamp, but the trusted root has no timestamp authority", "set chain, or take a trusted root that has one")
	case spec.Chain == "":
	case !t.demandToken && !c.readsTime():
		c.mistake(path+".chain", "has no effect while enabled is false: keys without a window need no time", "set enabled: true, or remove the block")
	default:
		t.authorities = c.timestampChain(path+".chain", spec.Chain)
	}
}
